// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry and exit of cosched.ko: the order in which its parts come and go.
 *
 * The device comes last, because whoever opens it may use everything else.
 * When exit runs no handle is open: files pin the module. sysfs files do not,
 * so cosched_knob_exit() waits for the writers inside.
 */
#include <linux/module.h>

#include "internal.h"

static int __init cosched_init(void)
{
	int ret;

	ret = cosched_page_init();
	if (ret)
		return ret;
	ret = cosched_coll_init();
	if (ret)
		goto err_page_exit;
	ret = cosched_comm_init();
	if (ret)
		goto err_coll_exit;
	ret = cosched_knob_init();
	if (ret)
		goto err_comm_exit;
	ret = cosched_dev_init();
	if (ret)
		goto err_knob_exit;
	return 0;

err_knob_exit:
	cosched_knob_exit();
err_comm_exit:
	cosched_comm_exit();
err_coll_exit:
	cosched_coll_exit();
err_page_exit:
	cosched_page_exit();
	return ret;
}

static void __exit cosched_exit(void)
{
	cosched_dev_exit();
	cosched_knob_exit();
	cosched_comm_exit();
	cosched_coll_exit();
	cosched_page_exit();
}

module_init(cosched_init);
module_exit(cosched_exit);

MODULE_DESCRIPTION("Collectives and cgroup policy for the cosched scheduler");
MODULE_AUTHOR("cosched developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(COSCHED_MODULE_VERSION);
/* Lets a package ask for the interface instead of a file name. */
MODULE_ALIAS("cosched-abi-1");
