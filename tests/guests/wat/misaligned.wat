;; Says that its answer lies where none may begin.
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 17)))
(core instance $guest (instantiate $code))
