#pragma once

#include "core/temp_folder.h"

namespace test {

/// A temporary folder for one test.
class TempFolder : public core::TempFolder {
 public:
  TempFolder() : core::TempFolder("test") {}
};

}  // namespace test
