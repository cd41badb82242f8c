;; A patch that removes 4,096 headers, each named by the same 60 KiB.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\01")
  (data (i32.const 68) "\00\00\02\00\00\10\00\00")
  (func (export "transform") (param i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 16)))
    (memory.fill (i32.const 1024) (i32.const 0x61) (i32.const 61440))
    (local.set $at (i32.const 131072))
    (loop $next
      (i32.store (local.get $at) (i32.const 1024))
      (i32.store offset=4 (local.get $at) (i32.const 61440))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 163840))))
    (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
