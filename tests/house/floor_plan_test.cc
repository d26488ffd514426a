// Holds the include arrows and the package doors of the code against docs/architecture.md.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = fs::path(NEMO_TEST_DIR).parent_path();

std::vector<std::string> Words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> Cells(const std::string& row) {
  std::vector<std::string> cells;
  std::istringstream in(row.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto words = Words(cell);
    std::string joined;
    for (const auto& word : words) joined += (joined.empty() ? "" : " ") + word;
    cells.push_back(joined);
  }
  return cells;
}

/// The rows of the first table below heading `## title` of docs/architecture.md.
std::vector<std::vector<std::string>> Table(const std::string& title) {
  std::ifstream page(kRoot / "docs/architecture.md");
  std::vector<std::vector<std::string>> rows;
  bool below = false;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("## ", 0) == 0) below = line == "## " + title;
    if (below && line.rfind("|", 0) == 0) rows.push_back(Cells(line));
  }
  if (rows.size() > 2) rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

bool Under(const std::string& path, const std::string& folder) {
  return path == folder || path.rfind(folder + "/", 0) == 0;
}

struct Include {
  std::string file, header;
  int line;
};

/// Every include of the project's sources; files are relative to the root.
std::vector<Include> AllIncludes() {
  std::vector<Include> includes;
  for (const char* top : {"libcore", "formats", "kernels", "tools", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / top)) {
      static const std::set<std::string> kEndings = {".h", ".cc", ".cu", ".cuh"};
      if (!entry.is_regular_file() || !kEndings.contains(entry.path().extension().string()))
        continue;
      std::ifstream source(entry.path());
      int number = 0;
      for (std::string line; std::getline(source, line);) {
        ++number;
        const size_t hash = line.find_first_not_of(" \t");
        if (hash == std::string::npos || line[hash] != '#' ||
            line.find("include") == std::string::npos)
          continue;
        const size_t open = line.find_first_of("<\"", hash);
        const size_t close = open == std::string::npos ? open : line.find_first_of(">\"", open + 1);
        if (close == std::string::npos) continue;
        includes.push_back({entry.path().lexically_relative(kRoot).string(),
                            line.substr(open + 1, close - open - 1), number});
      }
    }
  }
  return includes;
}

/// The most exact room of `file`: the longest folder of the table that holds it.
std::string RoomOf(const std::string& file,
                   const std::map<std::string, std::vector<std::string>>& rooms) {
  std::string best;
  for (const auto& [folder, may] : rooms) {
    if (Under(file, folder) && folder.size() > best.size()) best = folder;
  }
  return best;
}

TEST(FloorPlan, EveryIncludeArrowIsDrawn) {
  std::map<std::string, std::vector<std::string>> rooms;
  for (const auto& row : Table("Rooms")) rooms[row.at(0)] = Words(row.size() > 2 ? row[2] : "");
  ASSERT_GE(rooms.size(), 20u);
  int64_t arrows = 0;
  for (const Include& include : AllIncludes()) {
    if (!fs::exists(kRoot / include.header)) continue;
    ++arrows;
    const std::string room = RoomOf(include.file, rooms);
    ASSERT_FALSE(room.empty()) << include.file << " lies in no room of docs/architecture.md";
    const bool own = Under(include.header, room) && RoomOf(include.header, rooms) == room;
    const bool drawn =
        std::any_of(rooms[room].begin(), rooms[room].end(),
                    [&](const std::string& to) { return Under(include.header, to); });
    EXPECT_TRUE(own || drawn) << include.file << ":" << include.line << " includes "
                              << include.header
                              << ", an arrow that docs/architecture.md does not draw from " << room;
  }
  EXPECT_GT(arrows, 100);
}

TEST(FloorPlan, EveryPackageStaysBehindItsDoor) {
  const auto doors = Table("Doors");
  ASSERT_GE(doors.size(), 10u);
  for (const Include& include : AllIncludes()) {
    if (fs::exists(kRoot / include.header)) continue;
    for (const auto& row : doors) {
      const auto headers = Words(row.at(1));
      const bool matches = std::any_of(
          headers.begin(), headers.end(),
          [&](const std::string& prefix) { return include.header.rfind(prefix, 0) == 0; });
      if (!matches) continue;
      EXPECT_TRUE(Under(include.file, row.at(2)))
          << include.file << ":" << include.line << " includes " << include.header << ": " << row[0]
          << " has its door in " << row[2];
    }
  }
}

TEST(FloorPlan, IncludesAreWrittenFromTheRoot) {
  for (const Include& include : AllIncludes()) {
    const fs::path beside = kRoot / fs::path(include.file).parent_path() / include.header;
    EXPECT_FALSE(!fs::exists(kRoot / include.header) && fs::exists(beside))
        << include.file << ":" << include.line << " names " << include.header
        << " from beside itself; write the path from the root";
  }
}

TEST(FloorPlan, NoTwoFilesIncludeEachOther) {
  std::set<std::pair<std::string, std::string>> arrows;
  for (const Include& include : AllIncludes()) arrows.emplace(include.file, include.header);
  for (const auto& [from, to] : arrows) {
    EXPECT_FALSE(from < to && arrows.contains({to, from})) << from << " and " << to;
  }
}

}  // namespace
}  // namespace nemo
