#include "word_count.h"

#include <cctype>
#include <map>

#include "core/staged_output.h"

kfp::ComponentInfo WordCount::info() {
  return {.name = "word-count",
          .summary = "Counts the words of a text",
          .examples = {"kfp-hello word-count --text book.txt --out counts.json"}};
}

void WordCount::describe(kfp::Visitor& v) {
  v.input("text", text, {.help = "The text, in UTF-8"});
  v.parameter("shortest", shortest, {.help = "Leave out words with fewer letters", .min = 1});
  v.output_parameter("words", words, {.help = "Number of words"});
  v.output("counts", counts,
           {.type = kfp::ArtifactType::kDataset, .help = "Words and their counts", .file = "counts.json"});
}

void WordCount::run(kfp::RunContext& context) {
  std::map<std::string, std::int64_t> found;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty() && static_cast<std::int64_t>(word.size()) >= shortest) {
      ++found[word];
      ++words;
    }
    word.clear();
  };
  for (const char c : core::read_file(text.path)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalpha(byte) != 0 || byte >= 0x80)
      word += static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
    else
      end_word();
  }
  end_word();
  counts.metadata = {{"words", words}, {"different", found.size()}};
  core::write_file(counts.path,
                   nlohmann::json{{"counts", found}, {"provenance", context.provenance}}.dump(2) + '\n');
}
