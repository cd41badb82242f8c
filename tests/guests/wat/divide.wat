;; Divides by zero.
(core module $code
  (func (export "transform") (param i32) (result i32)
    (i32.div_u (local.get 0) (i32.const 0))))
(core instance $guest (instantiate $code))
