;; Exports a `transform` that takes and gives nothing.
(core module $code
  (func (export "transform")))
(core instance $guest (instantiate $code))
(func $transform (canon lift (core func $guest "transform")))
