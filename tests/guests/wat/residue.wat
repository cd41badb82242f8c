;; Takes 16 MiB more, traps if anything but zeros is in it, and leaves it full of something.
(core module $code
  (memory 1)
  (func (export "transform") (param i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 256)))
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 16842752))))
    (memory.fill (i32.const 0) (i32.const 0x5e) (i32.const 16842752))
    (i32.const 16)))
(core instance $guest (instantiate $code))
