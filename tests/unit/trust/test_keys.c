/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_helper.h"

#include "trust/keys.h"

/* Made by minisign 0.11: minisign -G -W; minisign -S -t 'for the test'; and with -l. */
#define THEIR_KEY "RWQRk1WFMeGjKKvM1NVheY/mynvEHcWyquKCFWy7Zhxl0QEtr6mIeVIj"
#define THEIR_ID "28A3E13185559311"
#define THEIR_SECRET \
	"untrusted comment: minisign encrypted secret key\n" \
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEZNVhTHhoyj3b1I18tMz9QsAwFSy64RuCA9CZL2MFXxnj9H" \
	"OaOOqUKvM1NVheY/mynvEHcWyquKCFWy7Zhxl0QEtr6mIeVIjAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define THEIR_SIGNATURE \
	"untrusted comment: signature from minisign secret key\n" \
	"RUQRk1WFMeGjKDbIwrc2VlefqKJA/yJT5uUJPcb80w+bh+LPdz93bBhThR84V4JzjfbdF30vYLrgRiotiEr5olB4lgVOu6CRigo=\n" \
	"trusted comment: for the test\n" \
	"zgE/JWGEIdD0zZIxVYs5PjThVV5iorbbuwLdKgp+c7Z3eE3Zfa8Pb8QevTr3ghBoljU9BIakFEGFlqVj4ahsBQ==\n"
#define THEIR_OLD_SIGNATURE \
	"untrusted comment: signature from minisign secret key\n" \
	"RWQRk1WFMeGjKOFW6iUnLgWT+Isyf2FMvGTrhXJV2NQAmLEAz62Au5IMpLqMZ57+xtCoCm6nd52dKJajXlfgygDvJyBL0tfQXQk=\n" \
	"trusted comment: legacy\n" \
	"iQDnK7P6Vn7G79ZsjjytQlFXthH2NqTtWGmrFpgwa6cjn20vzJU+OFcjTU21aGkhHnSEAI9T8WQUMmmhsu6KCA==\n"
#define THEIR_DATA STR("picket\n")

#define OTHER_KEY "RWTL7OQ8jt+KvJdEOIXxS4jHMrqvtawAAAACAAAAAAAAAEAAAAAAzTO2"
#define NONE str_make(NULL, 0)

static int parse_keys(const char *text, struct keys *keys, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, 10);
	int r = keys_parse(str_from(text), "keys", &diags, keys);
	if (told)
		assert_told(&diags, told);
	return r;
}

static void test_file(void **state)
{
	struct keys keys;
	(void)state;
	assert_int_equal(parse_keys("# who may sign\n\nthreshold 2\nuntrusted comment: minisign public key " THEIR_ID
	                            "\n" THEIR_KEY "  alice of the web team\n" OTHER_KEY "\n",
	                            &keys, NULL),
	                 0);
	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.threshold, 2);
	assert_true(str_equals(keys.items[0].note, "alice of the web team"));
	assert_int_equal(keys.items[1].note.length, 0);
	assert_false(keys.items[0].revoked);
	assert_int_equal(parse_keys(THEIR_KEY "\n" OTHER_KEY "\nrevoked " THEIR_ID " lost in a train\n", &keys, NULL),
	                 0);
	assert_int_equal(keys.threshold, 1);
	assert_true(keys.items[0].revoked);
	assert_true(str_equals(keys.items[0].reason, "lost in a train"));
	assert_false(keys.items[1].revoked);
}

static void test_file_mistakes(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
	        {"", "0 keys can sign"},
	        {THEIR_KEY "\nrevoked " THEIR_ID "\n", "0 keys can sign (1 are revoked)"},
	        {"threshold 2\n" THEIR_KEY "\n", "the threshold is 2: nothing would be accepted"},
	        {THEIR_KEY "\n" THEIR_KEY " again\n", "keys:2:1: a key with this id stands here already"},
	        {THEIR_KEY "\nRWQAAAAAAAAAAKvM1NVheY/mynvEHcWyquKCFWy7Zhxl0QEtr6mIeVIj\n",
	         "keys:2:1: this key stands here already, under another id"},
	        {"threshold 0\n" THEIR_KEY "\n", "keys:1:11: a threshold is a number from 1"},
	        {"threshold 1\nthreshold 1\n" THEIR_KEY "\n", "keys:2:1: the threshold was given already"},
	        {"threshold 17\n" THEIR_KEY "\n", "keys:1:11: a threshold is a number from 1"},
	        {"revoked 123\n" THEIR_KEY "\n", "keys:1:9: after \"revoked\" stands"},
	        {"alice " THEIR_KEY "\n", "keys:1:1: this is no public key"},
	        {THEIR_KEY, "keys:1:57: the line does not end"},
	        {"RWQRk1WFMeGjKKvM1NVheY/mynvEHcWyquKCFWy7Zhxl0QEtr6mIeVI\n", "keys:1:1: this is no public key"},
	        {"RWRRk1WFMeGjKKvM1NVheY/mynvEHcWyquKCFWy7Zhxl0QEtr6mIeVIj\r\n",
	         "a byte that is no printable text: 0x0d"},
	};
	struct keys keys;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(parse_keys(cases[i].text, &keys, cases[i].told), -EINVAL);
}

/* Who can write the file of keys decides what runs. */
static void test_file_rights(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf text;
	struct keys keys;
	(void)state;
	scratch_init(&dir);
	diag_list_init(&diags, 10);
	buf_init(&text, KEYS_BYTES_MAX);
	const char *path = below(dir.path, "keys");
	assert_int_equal(keys_read(path, &text, &diags, &keys), -ENOENT);
	write_text(path, THEIR_KEY "\n");
	assert_int_equal(keys_read(path, &text, &diags, &keys), 0);
	buf_clear(&text);
	chmod(path, 0664);
	assert_int_equal(keys_read(path, &text, &diags, &keys), -EPERM);
	assert_int_equal(secret_key_read_file(path, &text, &diags), -EPERM);
	chmod(path, 0600);
	assert_int_equal(secret_key_read_file(path, &text, &diags), 0);
}

/* ---- with minisign ---- */

static int verify(const char *text, const struct keys *keys, struct str data, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct signatures found;
	struct signers signers;
	diag_list_init(&diags, 10);
	int r = signatures_parse(str_from(text), "signatures", &diags, &found);
	if (r == 0)
		r = keys_verify(keys, &found, data, "signatures", &diags, &signers);
	if (told)
		assert_told(&diags, told);
	return r;
}

static void test_their_signature(void **state)
{
	struct keys keys;
	(void)state;
	assert_int_equal(parse_keys(THEIR_KEY "\n", &keys, NULL), 0);
	assert_int_equal(verify(THEIR_SIGNATURE, &keys, THEIR_DATA, NULL), 0);
	assert_int_equal(verify(THEIR_SIGNATURE, &keys, STR("picket"), "the signature by key " THEIR_ID " is wrong"),
	                 -EINVAL);
	assert_int_equal(
	        verify(THEIR_OLD_SIGNATURE, &keys, THEIR_DATA, "signatures:2:1: a signature in minisign's old form"),
	        -EINVAL);
}

/* With their key, the same bytes: Ed25519 leaves no choice. */
static void test_their_secret_key(void **state)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(secret_key_done) struct secret_key key;
	_cleanup_(buf_done) struct buf text;
	struct signatures all = {.count = 1};
	(void)state;
	diag_list_init(&diags, 10);
	buf_init(&text, SIGNATURES_BYTES_MAX);
	assert_int_equal(secret_key_parse(STR(THEIR_SECRET), "key", NONE, &diags, &key), 0);
	secret_key_sign(&key, THEIR_DATA, STR("for the test"), &all.items[0]);
	signatures_write(&all, &text);
	assert_string_equal(text.data, THEIR_SIGNATURE);
}

/* ---- own keys ---- */

static int read_back(const struct buf *text, struct str passphrase, struct secret_key *ret_key, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, 10);
	int r = secret_key_parse(buf_str(text), "key", passphrase, &diags, ret_key);
	if (told)
		assert_told(&diags, told);
	return r;
}

static void test_secret_keys(void **state)
{
	_cleanup_(secret_key_done) struct secret_key key, again;
	_cleanup_(buf_done) struct buf plain, hidden;
	(void)state;
	buf_init(&plain, 4096);
	buf_init(&hidden, 4096);
	assert_int_equal(secret_key_make(&key), 0);
	assert_int_equal(secret_key_write(&key, NONE, SECRET_KEY_COST_LOW, &plain), 0);
	assert_int_equal(secret_key_write(&key, STR("a b"), SECRET_KEY_COST_LOW, &hidden), 0);
	assert_int_equal(read_back(&plain, NONE, &again, NULL), 0);
	assert_memory_equal(&key, &again, sizeof(key));
	memset(&again, 0, sizeof(again));
	assert_int_equal(read_back(&hidden, NONE, &again, NULL), -ENOKEY);
	assert_int_equal(read_back(&hidden, STR("a  b"), &again, NULL), -EKEYREJECTED);
	assert_int_equal(read_back(&hidden, STR(""), &again, NULL), -EKEYREJECTED);
	assert_int_equal(read_back(&hidden, STR("a b"), &again, NULL), 0);
	assert_memory_equal(&key, &again, sizeof(key));
}

/* Any byte of the file that says something: refused, and the key is not in the message. */
static void test_damaged_secret_key(void **state)
{
	_cleanup_(secret_key_done) struct secret_key key, again;
	_cleanup_(buf_done) struct buf text;
	size_t refused = 0;
	(void)state;
	buf_init(&text, 4096);
	assert_int_equal(secret_key_make(&key), 0);
	assert_int_equal(secret_key_write(&key, NONE, SECRET_KEY_COST_LOW, &text), 0);
	size_t begin = strcspn(text.data, "\n") + 1;
	for (size_t at = begin + 72; at + 1 < text.length;
	     at++) { /* behind what a key without passphrase does not use */
		_cleanup_(diag_list_done) struct diag_list diags;
		char was = text.data[at];
		diag_list_init(&diags, 10);
		text.data[at] = was == 'A' ? 'B' : 'A';
		refused += secret_key_parse(buf_str(&text), "key", NONE, &diags, &again) == -EINVAL;
		assert_int_equal(diags.count, 1);
		assert_null(diags.items[0].source);
		text.data[at] = was;
	}
	assert_int_equal(refused, text.length - 1 - begin - 72);
}

/* A file that asks for more memory than minisign ever does is not obeyed. */
static void test_costly_secret_key(void **state)
{
	_cleanup_(secret_key_done) struct secret_key key;
	_cleanup_(buf_done) struct buf text;
	(void)state;
	buf_init(&text, 4096);
	buf_add_text(&text, THEIR_SECRET);
	char *at = strstr(text.data, "RWQAAEIy");
	memcpy(at, "RWRTY0Iy", 8);
	memset(at + 50, '/', 20); /* within the limits */
	assert_int_equal(read_back(&text, STR("x"), &key, NULL), -ENOMEM);
}

/* ---- signatures ---- */

static void test_order(void **state)
{
	struct signatures all = {0};
	struct signature one = {.comment = STR("c")};
	(void)state;
	for (int i = SIGNATURES_MAX; i > 0; i--) {
		one.id.bytes[0] = (uint8_t)i;
		assert_int_equal(signatures_put(&all, &one), 0);
	}
	for (size_t i = 0; i < SIGNATURES_MAX; i++)
		assert_int_equal(all.items[i].id.bytes[0], i + 1);
	one.id.bytes[0] = 7;
	one.comment = STR("again");
	assert_int_equal(signatures_put(&all, &one), 0);
	assert_true(str_equals(all.items[6].comment, "again"));
	one.id.bytes[0] = 99;
	assert_int_equal(signatures_put(&all, &one), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_file),
	        cmocka_unit_test(test_file_mistakes),
	        cmocka_unit_test(test_file_rights),
	        cmocka_unit_test(test_their_signature),
	        cmocka_unit_test(test_their_secret_key),
	        cmocka_unit_test(test_secret_keys),
	        cmocka_unit_test(test_damaged_secret_key),
	        cmocka_unit_test(test_costly_secret_key),
	        cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
