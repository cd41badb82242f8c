;; Begins with a table of a million elements.
(core module $code
  (table 1000000 funcref)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
