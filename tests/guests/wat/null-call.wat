;; Calls a place of a table in which nothing is.
(core module $code
  (type $any (func (result i32)))
  (table $ways 1 1 funcref)
  (func (export "transform") (param i32) (result i32)
    (call_indirect $ways (type $any) (i32.const 0))))
(core instance $guest (instantiate $code))
