;; Never comes back from its start function.
(core module $code
  (func $begin (loop $on (br $on)))
  (start $begin)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
