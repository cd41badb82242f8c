;; Discards with a code that is not UTF-8.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\02\00\00\00\60\00\00\00\02\00\00\00")
  (data (i32.const 96) "\ff\fe")
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
