#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "tracking/destination.h"

namespace tracking {

/// The begin of a run.
struct RunStart {
  std::filesystem::path queue;  ///< folder in which records wait (queue_folder())
  Destination to;
  std::string id;      ///< ours (new_id()); one that is used again continues the run
  std::string parent;  ///< our id of the run that it belongs to; empty = none
  std::string name;
  std::map<std::string, std::string> tags;
};

/// A run that is recorded: everything is written to a journal first; a thread sends it. Nothing throws and
/// nothing waits for the server before end(): what goes wrong is one line on stderr.
class Run {
 public:
  explicit Run(RunStart start);
  /// Ends the run as FAILED, if end() was not called.
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const std::string& id() const;

  void params(const std::map<std::string, std::string>& values);
  void tags(const std::map<std::string, std::string>& values);
  /// Numbers that are not finite are left out. @param time_s since 1970
  void metrics(std::int64_t step, double time_s, const std::map<std::string, double>& values);
  /// Keeps a file, or the files of a folder, as they are now.
  /// @param path  of the file or folder in the run's artifacts
  void artifact(const std::filesystem::path& file, const std::string& path);
  /// Registers a folder of the artifacts as a version of a model.
  /// @param of  id of the run of a pipeline whose task "train" has the artifacts; empty = this run itself
  void model(const std::string& path, const std::string& name, const std::string& of = {});

  enum class Status { kFinished, kFailed, kKilled };
  /// Ends the run, and sends what waits if the server answers within seconds.
  void end(Status status);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace tracking
