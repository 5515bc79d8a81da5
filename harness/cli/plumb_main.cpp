#include "harness/cli/program.h"

int main(int argc, char** argv) try {
  return plumb::harness::run_program(argc, argv);
} catch (...) {
  return plumb::harness::explain_failure();
}
