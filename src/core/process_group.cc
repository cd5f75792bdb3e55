#include "core/process_group.h"

namespace core {

ProcessGroup& one_process() {
  static OneProcess group;
  return group;
}

}  // namespace core
