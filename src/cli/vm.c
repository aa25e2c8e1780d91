/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/vm_source.h"
#include "core/log.h"

int command_vm(const struct args *args)
{
	static const struct {
		const char *name;
		int (*run)(const struct args *args);
	} actions[] = {{"run", vm_run}, {"test", vm_test}, {"asm", vm_asm}, {"disasm", vm_disasm}};
	const char *word = args->word_count > 0 ? args->words[0] : NULL;
	for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, word) == 0)
			return actions[i].run(args);
	if (word)
		log_error("vm cannot \"%s\"; it can run, test, asm, disasm", word);
	else
		log_error("what with the sandbox? run or test programs, asm or disasm them; see picket help vm");
	return CLI_USAGE;
}
