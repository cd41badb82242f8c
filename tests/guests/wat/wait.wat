;; Waits for the end of time, again and again.
(import "wasi:io/poll@0.2.0" (instance $poll
  (export "pollable" (type $p (sub resource)))
  (export "[method]pollable.block" (func (param "self" (borrow $p))))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
  (export "pollable" (type $p (eq $pollable)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core func $block (canon lower (func $poll "[method]pollable.block")))
(core func $drop (canon resource.drop $pollable))
(core module $code
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (import "host" "block" (func $block (param i32)))
  (import "host" "drop" (func $drop (param i32)))
  (func (export "transform") (param i32) (result i32)
    (local $moment i32)
    (loop $on
      (local.set $moment (call $subscribe (i64.const -1)))
      (call $block (local.get $moment))
      (call $drop (local.get $moment))
      (br $on))
    (unreachable)))
(core instance $guest (instantiate $code (with "host" (instance
  (export "subscribe" (func $subscribe))
  (export "block" (func $block))
  (export "drop" (func $drop))))))
