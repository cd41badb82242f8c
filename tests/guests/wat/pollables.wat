;; Asks the host for moments to wait for, and drops none, until it is stopped.
(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
  (export "pollable" (type $p (eq $pollable)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core module $code
  (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
  (func (export "transform") (param i32) (result i32)
    (loop $on (drop (call $subscribe (i64.const 1))) (br $on))
    (unreachable)))
(core instance $guest (instantiate $code
  (with "host" (instance (export "subscribe" (func $subscribe))))))
