;; Discards with a code of 1 GiB.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\02\00\00\00\00\00\00\00\00\00\00\40")
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
