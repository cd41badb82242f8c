;; Asks for a thousand million table elements.
(core module $code
  (table $ways 1 funcref)
  (func (export "transform") (param i32) (result i32)
    (drop (table.grow $ways (ref.null func) (i32.const 1000000000)))
    (i32.const 16)))
(core instance $guest (instantiate $code))
