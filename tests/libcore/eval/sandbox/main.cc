// Gives up root first when $NEMO_TEST_USER_ID names a user, so that every test is seen both ways.
#include <cstdio>
#include <cstdlib>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (const char* user = std::getenv("NEMO_TEST_USER_ID")) {
    if (geteuid() != 0) {
      std::puts("skipped: not root, so there is nothing to give up");
      return 0;
    }
    const auto id = static_cast<uid_t>(std::atoi(user));
    if (setgroups(0, nullptr) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) {
      std::perror("giving up root");
      return 1;
    }
    // As a program that this user started: whoever changes users is closed to its new one.
    prctl(PR_SET_DUMPABLE, 1);
  }
  return RUN_ALL_TESTS();
}
