;; A patch that sets three million headers, all in bounds, each with an empty name and value: for
;; the guest 16 bytes each, for the host more than 48.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\01")
  (data (i32.const 52) "\00\00\00\00\c0\c6\2d\00")
  (func (export "transform") (param i32) (result i32)
    (drop (memory.grow (i32.const 740)))
    (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
