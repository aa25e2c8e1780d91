/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for machine code: written first, executable afterwards, never both.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "vm/vm_int.h"

int vm_code_map(size_t size, void **ret_code, size_t *ret_mapped)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t mapped = (size + page - 1) & ~(page - 1);
	void *code;

	if (!size || mapped < size)
		return -EINVAL;
	code = mmap(NULL, mapped, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		return -ENOMEM;
	*ret_code = code;
	*ret_mapped = mapped;
	return 0;
}

int vm_code_seal(void *code, size_t mapped)
{
	if (mprotect(code, mapped, PROT_READ | PROT_EXEC))
		return -errno;
	__builtin___clear_cache(code, (char *)code + mapped);
	return 0;
}

void vm_code_unmap(void *code, size_t mapped)
{
	munmap(code, mapped);
}
