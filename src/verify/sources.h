#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "journal/kafka_topic.h"
#include "store/mysql_connection.h"
#include "verify/checks.h"

namespace firstcome::verify {

/// Where a journal and its store are, of a dead or a running server. Nothing in them is changed.
class Source {
 public:
  virtual ~Source() = default;

  /// A moment of the whole store: the rows about what `folds` are about. A store that is not there is an empty one: it
  /// is written anew from the journal. Fails: corrupt, with the row; misconfigured, unavailable.
  virtual Result<void> read_store(const Folds& about, StoreRows& rows) = 0;

  /// The whole journal up to where it ends now, into the folds. Fails: corrupt, with the position; misconfigured,
  /// unavailable. `rows` are the store's, read before: they tell a lost journal from one that never was.
  virtual Result<void> read_journal(const StoreRows& rows, Folds& folds) = 0;
};

/// The data folder of the embedded form. Fails: misconfigured, there is no such folder.
Result<std::unique_ptr<Source>> folder_source(const std::string& folder);

/// The servers of the distributed form.
std::unique_ptr<Source> servers_source(KafkaPlace journal, mysql::Server store);

}  // namespace firstcome::verify
