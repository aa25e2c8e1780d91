/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files about bundles.
 */
#ifndef PICKET_TRUST_BUNDLE_INT_H
#define PICKET_TRUST_BUNDLE_INT_H

#include "trust/bundle.h"

#define BUNDLE_CODE "BUNDLE_ERR_FORM"

int bundle_error(const char *path, struct diag_list *diags, const char *text); /* tells, gives -EINVAL */
int bundle_read_directory(struct bundle *b, struct diag_list *diags) must_check;
int bundle_write_directory_signatures(const struct bundle *b, struct str signatures) must_check;

#endif
