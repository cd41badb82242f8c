;; Discards with a code of 16 bytes that begins behind the end of its memory.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\02\00\00\00\f0\ff\ff\7f\10\00\00\00")
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
