;; Divides the least integer by minus one.
(core module $code
  (func (export "transform") (param i32) (result i32)
    (i32.div_s (i32.const 0x80000000) (i32.const -1))))
(core instance $guest (instantiate $code))
