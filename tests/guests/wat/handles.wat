;; Makes handles of its own until it is stopped.
(type $thing (resource (rep i32)))
(core func $new (canon resource.new $thing))
(core module $code
  (import "host" "new" (func $new (param i32) (result i32)))
  (func (export "transform") (param i32) (result i32)
    (loop $on (drop (call $new (i32.const 1))) (br $on))
    (unreachable)))
(core instance $guest (instantiate $code (with "host" (instance (export "new" (func $new))))))
