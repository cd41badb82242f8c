;; Calls through every place of the largest table that there may be, over and over.
(core module $code
  (type $step (func (param i32) (result i32)))
  (table $ways 65536 65536 funcref)
  (func $next (type $step) (i32.add (local.get 0) (i32.const 1)))
  (elem declare func $next)
  (func (export "transform") (param i32) (result i32)
    (local $n i32)
    (table.fill $ways (i32.const 0) (ref.func $next) (i32.const 65536))
    (loop $on
      (local.set $n (call_indirect $ways (type $step)
        (local.get $n)
        (i32.and (local.get $n) (i32.const 65535))))
      (br $on))
    (unreachable)))
(core instance $guest (instantiate $code))
