;; Traps in its start function.
(core module $code
  (func $begin unreachable)
  (start $begin)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
