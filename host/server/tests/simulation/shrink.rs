//! Makes a list of operations that fails as short as it gets by leaving some out: first many at a
//! time, then fewer, down to one. Another failure than the first is as good.

use crate::driver;
use crate::ops::Plan;

pub(crate) fn shrink(mut plan: Plan) -> Plan {
    let mut size = plan.ops.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < plan.ops.len() {
            let mut tried = plan.clone();
            let end = (at + size).min(plan.ops.len());
            tried.ops.drain(at..end);
            if driver::run(&tried).violation.is_some() {
                plan = tried;
                shorter = true;
            } else {
                at += size;
            }
        }
        // One by one, until none can be left out.
        if size > 1 || !shorter {
            size /= 2;
        }
    }
    plan
}
