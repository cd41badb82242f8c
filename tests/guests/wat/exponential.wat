;; Calls itself twice at each of 64 levels, as a pattern matcher does that goes back over a choice.
(core module $code
  (func $try (param $left i32) (result i32)
    (if (result i32) (local.get $left)
      (then (i32.add
        (call $try (i32.sub (local.get $left) (i32.const 1)))
        (call $try (i32.sub (local.get $left) (i32.const 1)))))
      (else (i32.const 1))))
  (func (export "transform") (param i32) (result i32)
    (call $try (i32.const 64))))
(core instance $guest (instantiate $code))
