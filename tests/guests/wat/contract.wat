;; What every guest of this folder is put into: the contract's types, a memory with an allocator
;; that never frees, and the export. A guest brings a core instance `$guest` that exports
;; `transform`, or, if it says `canon lift` itself, a function `$transform`.
(component
  (import "whisperer:plugin/types@1.0.0" (instance $types
    (type $a-header (record (field "name" string) (field "value" string)))
    (export "header" (type $header (eq $a-header)))
    (type $some-attributes (list (tuple string string)))
    (export "attributes" (type $attributes (eq $some-attributes)))
    (type $an-event (record
      (field "id" string)
      (field "event-type" string)
      (field "occurred-at-ms" u64)
      (field "content-type" string)
      (field "payload" (list u8))
      (field "headers" (list $header))
      (field "attributes" $attributes)))
    (export "event" (type $event (eq $an-event)))
    (type $a-target (record
      (field "hook-id" string)
      (field "origin" string)
      (field "attributes" $attributes)))
    (export "target" (type $target (eq $a-target)))
    (type $a-patch (record
      (field "payload" (option (list u8)))
      (field "content-type" (option string))
      (field "bare" bool)
      (field "set-headers" (list $header))
      (field "append-headers" (list $header))
      (field "remove-headers" (list string))))
    (export "patch" (type $patch (eq $a-patch)))
    (type $a-reason (record (field "code" string) (field "message" string)))
    (export "reason" (type $reason (eq $a-reason)))
    (type $an-outcome (variant
      (case "unchanged")
      (case "modified" $patch)
      (case "discard" $reason)))
    (export "outcome" (type $outcome (eq $an-outcome)))
    (type $a-failure (variant (case "retry" $reason) (case "reject" $reason)))
    (export "failure" (type $failure (eq $a-failure)))))
  (alias export $types "event" (type $event))
  (alias export $types "target" (type $target))
  (alias export $types "outcome" (type $outcome))
  (alias export $types "failure" (type $failure))
  (type $call (func
    (param "event" $event)
    (param "target" $target)
    (param "config" string)
    (result (result $outcome (error $failure)))))

  ;; The first page of the memory is the guest's own.
  (core module $heap-code
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32) (param $bytes i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get $bytes)))
      (loop $more
        (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
          (then (drop (memory.grow (i32.const 1))) (br $more))))
      (local.get $at)))
  (core instance $heap (instantiate $heap-code))

  (; the guest ;)

  (; the lift ;)
  (instance $answers (export "transform" (func $transform)))
  (export "whisperer:plugin/transform@1.0.0" (instance $answers)))
