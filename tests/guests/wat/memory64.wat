;; A memory with addresses of 64 bits.
(core module $code
  (memory i64 1)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
