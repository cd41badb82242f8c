;; Calls a function through a table as if it were of another type.
(core module $code
  (type $other (func (result i64)))
  (table $ways 1 1 funcref)
  (elem (i32.const 0) $it)
  (func $it (result i32) (i32.const 1))
  (func (export "transform") (param i32) (result i32)
    (i32.wrap_i64 (call_indirect $ways (type $other) (i32.const 0)))))
(core instance $guest (instantiate $code))
