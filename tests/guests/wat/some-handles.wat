;; Makes 900 handles and takes a page of memory at each call, and gives none of it back.
(type $thing (resource (rep i32)))
(core func $new (canon resource.new $thing))
(core module $code
  (import "heap" "memory" (memory 1))
  (import "host" "new" (func $new (param i32) (result i32)))
  (func (export "transform") (param i32) (result i32)
    (local $n i32)
    (drop (memory.grow (i32.const 1)))
    (loop $on
      (drop (call $new (i32.const 1)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $on (i32.lt_u (local.get $n) (i32.const 900))))
    (i32.const 16)))
(core instance $guest (instantiate $code
  (with "heap" (instance $heap))
  (with "host" (instance (export "new" (func $new))))))
