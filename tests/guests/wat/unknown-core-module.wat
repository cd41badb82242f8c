;; Wants a core module of the host.
(import "code" (core module))
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
