;; A memory that threads could share.
(core module $code
  (memory 1 1 shared)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
