;; Takes memory in its start function until there is no more.
(core module $code
  (memory 1)
  (func $begin (loop $on (drop (memory.grow (i32.const 16))) (br $on)))
  (start $begin)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
