/** Of these names, those that a text uses as words, in whatever case: `delete` is in "run delete-all", and not in "delete_note" or "undeleted". */
export function mentionedIn(text: string, names: Iterable<string>): string[] {
  const folded = text.toLowerCase();
  const mentioned: string[] = [];
  for (const name of names) if (name !== '' && hasWord(folded, name.toLowerCase())) mentioned.push(name);
  return mentioned;
}

const WORD_CHARACTER = /[\p{L}\p{N}_]/u;

function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const joinsBefore = isWordCharacter(text[at - 1]) && isWordCharacter(word[0]);
    const joinsAfter = isWordCharacter(text[at + word.length]) && isWordCharacter(word.at(-1));
    if (!joinsBefore && !joinsAfter) return true;
  }
  return false;
}

function isWordCharacter(character: string | undefined): boolean {
  return character !== undefined && WORD_CHARACTER.test(character);
}
