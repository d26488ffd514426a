# Makes one C++ source of the page of the server: page.html with page.css and page.js inside it, and
# their hashes where the page says which style and script it allows (Content-Security-Policy).
# cmake -DFOLDER=libcore/serve/page -DOUTPUT=page_html.cc -P embed_page.cmake

# base64 of a SHA-256 given as 64 hex digits.
function(base64_of_hash hex out)
  set(letters "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(text "")
  set(rest "${hex}0") # 32 bytes are 256 bits: 42 letters of 6 bits, and one of 4 bits and 2 zeros
  foreach(group RANGE 0 21)
    math(EXPR begin "${group} * 3")
    string(SUBSTRING "${rest}" ${begin} 3 digits)
    string(LENGTH "${digits}" size)
    if(size EQUAL 3)
      math(EXPR bits "0x${digits}")
      math(EXPR high "${bits} >> 6")
      math(EXPR low "${bits} & 63")
    else()
      math(EXPR high "0x${digits} >> 2")
      set(low "")
    endif()
    foreach(value IN ITEMS ${high} ${low})
      string(SUBSTRING "${letters}" ${value} 1 letter)
      string(APPEND text "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${text}" 0 43 text)
  set(${out} "${text}=" PARENT_SCOPE)
endfunction()

file(READ ${FOLDER}/page.html page)
foreach(part STYLE:css SCRIPT:js)
  string(REPLACE ":" ";" part "${part}")
  list(GET part 0 name)
  list(GET part 1 ending)
  file(READ ${FOLDER}/page.${ending} content)
  string(SHA256 hash "${content}")
  base64_of_hash(${hash} hash)
  string(REPLACE "@${name}_HASH@" "${hash}" page "${page}")
  string(REPLACE "@${name}@" "${content}" page "${page}")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed_page.cmake.
#include \"libcore/serve/page.h\"

namespace nemo {
const std::string_view kPage = R\"nemo-page(${page})nemo-page\";
}  // namespace nemo
")
