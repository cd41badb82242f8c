;; Wants an interface that nobody knows.
(import "evil:corp/backdoor@6.6.6" (instance))
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
