;; Asks for 1 GiB of randomness at once.
(import "wasi:random/random@0.2.0" (instance $random
  (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
(core func $bytes (canon lower (func $random "get-random-bytes")
  (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
(core module $code
  (import "host" "bytes" (func $bytes (param i64 i32)))
  (func (export "transform") (param i32) (result i32)
    (call $bytes (i64.const 1073741824) (i32.const 64))
    (i32.const 16)))
(core instance $guest (instantiate $code (with "host" (instance (export "bytes" (func $bytes))))))
