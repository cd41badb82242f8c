;; Says that its answer lies outside of its memory.
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 0x7ffffff0)))
(core instance $guest (instantiate $code))
