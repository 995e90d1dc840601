/// What kernel stacks are taken for.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "profile/wait_rules.hpp"

using namespace aiopt;
using Functions = std::vector<std::string>;

TEST_CASE("a stack of the kernel tells what a thread waited for") {
  const auto kind = [](const Functions& functions) { return to_string(class_of_wait(functions, false)); };
  CHECK(kind({"__schedule", "schedule", "futex_do_wait", "__futex_wait", "futex_wait", "do_futex"}) == "lock");
  CHECK(kind({"futex_wait_queue_me", "futex_wait", "do_futex"}) == "lock");
  CHECK(kind({"__schedule", "schedule", "rwsem_down_write_slowpath", "down_write", "ext4_file_write_iter"}) == "lock");
  CHECK(kind({"__schedule", "schedule", "io_schedule", "folio_wait_bit_common", "filemap_read"}) == "io");
  CHECK(kind({"__schedule", "schedule", "jbd2_log_wait_commit [jbd2]", "ext4_sync_file"}) == "io");
  CHECK(kind({"__schedule", "schedule", "inode_wait_for_writeback", "writeback_single_inode", "ext4_sync_file"}) ==
        "io");
  CHECK(kind({"__schedule", "schedule", "do_nanosleep", "hrtimer_nanosleep"}) == "other");
  CHECK(kind({"__schedule", "schedule", "schedule_timeout", "inet_csk_accept"}) == "other");
  CHECK(kind({}) == "other");
}

TEST_CASE("the innermost function that a rule fits decides") {
  CHECK(class_of_wait(Functions{"io_schedule", "folio_wait_bit", "__mutex_lock.constprop.0"}, false) == WaitClass::io);
  CHECK(class_of_wait(Functions{"__mutex_lock.constprop.0", "jbd2_journal_start"}, false) == WaitClass::lock);
}

TEST_CASE("a thread that was still runnable waits for a CPU, whatever is on its stack") {
  CHECK(class_of_wait(Functions{"__schedule", "futex_wait"}, true) == WaitClass::scheduling);
  CHECK(class_of_wait({}, true) == WaitClass::scheduling);
}

TEST_CASE("giving the CPU up is told from the stack alone, too") {
  const auto kind = [](const Functions& functions) { return to_string(class_of_wait(functions, false)); };
  CHECK(kind({"__schedule", "schedule", "do_sched_yield", "__x64_sys_sched_yield"}) == "scheduling");
  CHECK(kind({"__schedule", "preempt_schedule_irq", "irqentry_exit", "asm_sysvec_apic_timer_interrupt"}) ==
        "scheduling");
  CHECK(kind({"__schedule", "__cond_resched", "ext4_writepages", "jbd2_journal_start"}) == "scheduling");
  CHECK(kind({"schedule", "exit_to_user_mode_loop", "syscall_exit_to_user_mode", "do_syscall_64"}) == "scheduling");
  // Stopped by a debugger on the way out.
  CHECK(kind({"schedule", "ptrace_stop", "get_signal", "exit_to_user_mode_loop", "do_syscall_64"}) == "other");
}

TEST_CASE("the function in which a thread slept is the first that is not plumbing") {
  CHECK(sleeping_function(Functions{"perf_trace_sched_switch", "__traceiter_sched_switch", "__schedule", "schedule",
                                    "schedule_hrtimeout_range_clock", "do_epoll_wait", "do_syscall_64"}) ==
        "do_epoll_wait");
  CHECK(sleeping_function(Functions{"__schedule", "io_schedule", "bit_wait_io", "__wait_on_bit"}) == "bit_wait_io");
  CHECK(sleeping_function(Functions{"__schedule", "preempt_schedule_irq", "copy_user_generic"}) == "copy_user_generic");
  CHECK(sleeping_function(Functions{"schedule", "exit_to_user_mode_loop", "syscall_exit_to_user_mode", "do_syscall_64",
                                    "entry_SYSCALL_64_after_hwframe"}) == "");
  CHECK(sleeping_function(Functions{"schedule", "irqentry_exit_to_user_mode", "asm_exc_page_fault"}) == "");
  CHECK(sleeping_function({}) == "");
}
