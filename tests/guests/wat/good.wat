;; Answers `unchanged`: the neighbour that must notice nothing.
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
