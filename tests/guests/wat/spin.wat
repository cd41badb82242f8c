;; Counts, and does not end. It never calls anything, so it is ended by its time alone.
(core module $code
  (import "heap" "memory" (memory 1))
  (func (export "transform") (param i32) (result i32)
    (local $n i64)
    (loop $on
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (br $on))
    (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
