#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/testing.h"

namespace plumb::testing {

/// A machine made of files, for what reads Linux' folders below a root.
class FakeMachine {
 public:
  FakeMachine() : folder_(std::make_unique<TemporaryFolder>()) {}
  const std::filesystem::path& root() const { return folder_->path(); }
  void file(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((root() / name).parent_path());
    std::ofstream(root() / name) << content;
  }

 private:
  std::unique_ptr<TemporaryFolder> folder_;
};

}  // namespace plumb::testing
