/// Tables of kernel functions by the beginnings of their names: Linux 5.3 to 6.18, x86-64 and arm64.

#include "profile/wait_rules.hpp"

#include <algorithm>
#include <array>

namespace aiopt {
namespace {

struct WaitRule {
  std::string_view prefix;
  WaitClass kind;
};

/// The innermost function that one of them fits decides: a page that is awaited under a lock is io.
constexpr auto kWaitRules = std::to_array<WaitRule>({
    {"do_sched_yield", WaitClass::scheduling},
    {"yield", WaitClass::scheduling},
    // futex(2): mutexes, condition variables, joins, semaphores of user space.
    {"futex_wait", WaitClass::lock},
    {"__futex_wait", WaitClass::lock},
    {"futex_do_wait", WaitClass::lock},
    {"futex_lock_pi", WaitClass::lock},
    // The kernel's own locks.
    {"rwsem_down_", WaitClass::lock},
    {"rwbase_", WaitClass::lock},
    {"__mutex_lock", WaitClass::lock},
    {"__ww_mutex_lock", WaitClass::lock},
    {"rt_mutex_", WaitClass::lock},
    {"__rt_mutex_", WaitClass::lock},
    {"rtlock_", WaitClass::lock},
    {"__down", WaitClass::lock},
    {"percpu_rwsem_wait", WaitClass::lock},
    {"__lock_sock", WaitClass::lock},
    // Locks of files, semaphores of System V.
    {"locks_lock_inode_wait", WaitClass::lock},
    {"fcntl_setlk", WaitClass::lock},
    {"do_semtimedop", WaitClass::lock},
    {"__do_semtimedop", WaitClass::lock},
    // Pages, buffers and requests of a block device.
    {"io_schedule", WaitClass::io},
    {"blk_io_schedule", WaitClass::io},
    {"bit_wait_io", WaitClass::io},
    {"wait_for_completion_io", WaitClass::io},
    {"folio_wait_", WaitClass::io},
    {"wait_on_page", WaitClass::io},
    {"__wait_on_buffer", WaitClass::io},
    {"submit_bio_wait", WaitClass::io},
    {"blkdev_issue_flush", WaitClass::io},
    {"rq_qos_wait", WaitClass::io},
    {"wbt_wait", WaitClass::io},
    {"blk_mq_get_tag", WaitClass::io},
    {"balance_dirty_pages", WaitClass::io},
    {"inode_wait_for_writeback", WaitClass::io},
    {"inode_sleep_on_writeback", WaitClass::io},
    {"wb_wait_for_completion", WaitClass::io},
    // libaio, io_uring.
    {"read_events", WaitClass::io},
    {"io_cqring_wait", WaitClass::io},
    // Journals and logs of file systems; file systems over a network or in user space.
    {"jbd2_", WaitClass::io},
    {"add_transaction_credits", WaitClass::io},
    {"wait_transaction_locked", WaitClass::io},
    {"xlog_", WaitClass::io},
    {"xfs_log_force", WaitClass::io},
    {"wait_log_commit", WaitClass::io},
    {"btrfs_wait_", WaitClass::io},
    {"btrfs_start_ordered_extent", WaitClass::io},
    {"f2fs_issue_flush", WaitClass::io},
    {"nfs_wait_", WaitClass::io},
    {"rpc_wait_bit", WaitClass::io},
    {"request_wait_answer", WaitClass::io},
});

/// The scheduler itself, and what stands above it on a stack because it took the stack.
constexpr auto kSchedulerPrefixes = std::to_array<std::string_view>({
    "__schedule",
    "schedule",
    "io_schedule",
    "__sched_text_start",
    "rt_mutex_schedule",
    "context_switch",
    "finish_task_switch",
    "__switch_to",
    "prepare_task_switch",
    "perf_",
    "__perf_",
    "__traceiter_",
    "__bpf_",
    "bpf_",
    "trace_event_",
    "ftrace_",
});

/// A thread that has one of them right above the scheduler gave its CPU up without waiting for anything.
constexpr auto kPreemptionPrefixes = std::to_array<std::string_view>({
    "preempt_schedule",
    "dynamic_preempt_schedule",
    "__cond_resched",
    "dynamic_cond_resched",
    "_cond_resched",
    "exit_to_user_mode",
    "irqentry_exit",
    "raw_irqentry_exit",
    "prepare_exit_to_usermode",
    "arm64_preempt_schedule_irq",
    "do_notify_resume",
    "el0_interrupt",
    "el1_interrupt",
    "el0_irq",
    "el1_irq",
});

/// The way from user space to the function that waits.
constexpr auto kEntryPrefixes = std::to_array<std::string_view>({
    "entry_SYSCALL",
    "do_syscall_64",
    "x64_sys_call",
    "syscall_exit_to_user_mode",
    "asm_exc_",
    "asm_sysvec_",
    "sysvec_",
    "asm_common_interrupt",
    "common_interrupt",
    "el0_svc",
    "el0t_64_",
    "el1h_64_",
    "do_el0_svc",
    "invoke_syscall",
    "ret_from_fork",
});

template <std::size_t count>
bool begins_with_any(std::string_view name, const std::array<std::string_view, count>& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

WaitClass class_of_wait(std::span<const std::string> kernel_functions_innermost_first, bool preempted) {
  if (preempted) return WaitClass::scheduling;
  bool above_scheduler = true;
  for (const std::string& function : kernel_functions_innermost_first) {
    for (const WaitRule& rule : kWaitRules) {
      if (function.starts_with(rule.prefix)) return rule.kind;
    }
    if (above_scheduler && !begins_with_any(function, kSchedulerPrefixes)) {
      if (begins_with_any(function, kPreemptionPrefixes)) return WaitClass::scheduling;
      above_scheduler = false;
    }
  }
  return WaitClass::other;
}

std::string sleeping_function(std::span<const std::string> kernel_functions_innermost_first) {
  const auto found = std::ranges::find_if_not(kernel_functions_innermost_first, is_wait_plumbing);
  return found == kernel_functions_innermost_first.end() ? "" : *found;
}

bool is_wait_plumbing(std::string_view kernel_function) {
  return begins_with_any(kernel_function, kSchedulerPrefixes) ||
         begins_with_any(kernel_function, kPreemptionPrefixes) || begins_with_any(kernel_function, kEntryPrefixes);
}

}  // namespace aiopt
