;; Loops in a component that has as many memories as it may: this one and the heap's.
(core module $code
  (memory 1)
  (func (export "transform") (param i32) (result i32) (loop $on (br $on)) (unreachable)))
(core instance $guest (instantiate $code))
