;; Wants a function that an interface it is granted does not have.
(import "wasi:cli/environment@0.2.0" (instance (export "get-root-password" (func (result string)))))
(core module $code
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
