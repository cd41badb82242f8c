;; Speaks UTF-16, and discards with a code that is half a pair.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\02\00\00\00\60\00\00\00\01\00\00\00")
  (data (i32.const 96) "\00\d8")
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
(func $transform (type $call)
  (canon lift (core func $guest "transform") string-encoding=utf16
    (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
