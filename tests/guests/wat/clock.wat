;; Reads the clock and does nothing else.
(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
(core func $now (canon lower (func $clock "now")))
(core module $code
  (import "host" "now" (func $now (result i64)))
  (func (export "transform") (param i32) (result i32)
    (loop $on (drop (call $now)) (br $on))
    (unreachable)))
(core instance $guest (instantiate $code (with "host" (instance (export "now" (func $now))))))
